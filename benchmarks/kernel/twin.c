/* The update of ours.py once more, in plain C, on the same record: what a good compiler makes of it.
 *
 * Sizes are macros: H units, D inputs, L heads, K steps, B windows, P weights. Columns are stacked i f o g.
 * No intrinsics. Loops are blocked, and sums kept in small local arrays, as far as that made it faster with clang.
 */
#include <math.h>
#include <stdint.h>

#define M (4 * H)
#define LINE __attribute__((aligned(64)))
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    LINE int64_t updates;
    LINE float weights[P];
    LINE float average[P];
    LINE float first_moment[P];
    LINE float second_moment[P];
    LINE float gradient[P];
    LINE float first[K + 1][B][D + H];
    LINE float cells[K + 1][B][H];
    LINE float gates[K][B][M];
    LINE float squashed[K][B][H];
    LINE float dh[K][B][H];
    LINE float dc[B][H];
    LINE float wt[M][H];
    LINE float out[L];
    LINE float a[D + H];
    LINE float c[H];
    LINE float z[M];
} State;

enum { AT_B = (D + H) * M, AT_P = AT_B + M, AT_V = AT_P + 3 * H, AT_D = AT_V + L * H };

_Static_assert(D % 4 == 0 && H % 8 == 0 && K * B % 4 == 0, "products go by so many rows and steps at a time");

int64_t bytes(void) { return sizeof(State); }

INLINE float exp32(float x) {
    x = x < -80.0f ? -80.0f : x > 80.0f ? 80.0f : x;
    float n = floorf(x * 1.4426950408889634f + 0.5f);
    float r = (x - n * 0.693145751953125f) - n * 1.42860682030941723e-6f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    union { int32_t i; float f; } power = {.i = ((int32_t)n + 127) << 23};
    return p * power.f;
}

INLINE float kept(float c) { return c < -8.0f ? -8.0f : c > 8.0f ? 8.0f : c; }
INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp32(-x)); }
INLINE float squash(float x) { return 1.0f - 2.0f / (exp32(x + x) + 1.0f); }

/* z += x w for one row: w has `rows` rows of `m` columns. */
INLINE void one_row(const float *restrict x, const float *restrict w, float *restrict z, int rows, int m) {
    int k = 0;
    for (; k + 8 <= rows; k += 8) {
        const float *u = w + k * m;
        for (int j = 0; j < m; j++)
            z[j] += x[k] * u[j] + x[k + 1] * u[m + j] + x[k + 2] * u[2 * m + j] + x[k + 3] * u[3 * m + j]
                  + x[k + 4] * u[4 * m + j] + x[k + 5] * u[5 * m + j] + x[k + 6] * u[6 * m + j] + x[k + 7] * u[7 * m + j];
    }
    for (; k < rows; k++)
        for (int j = 0; j < m; j++) z[j] += x[k] * w[k * m + j];
}

/* The same for many rows of x and z, `across` and `along` apart: five at a time share what is read of w. */
INLINE void product(const float *restrict x, int across, const float *restrict w, float *restrict z, int along,
                    int many, int rows, int m) {
    int r = 0;
    for (; r + 5 <= many; r += 5) {
        const float *a = x + r * across, *b = a + across, *c = b + across, *d = c + across, *e = d + across;
        float *za = z + r * along, *zb = za + along, *zc = zb + along, *zd = zc + along, *ze = zd + along;
        for (int k = 0; k + 4 <= rows; k += 4) {
            const float *u = w + k * m;
            for (int j = 0; j < m; j++) {
                float u0 = u[j], u1 = u[m + j], u2 = u[2 * m + j], u3 = u[3 * m + j];
                za[j] += a[k] * u0 + a[k + 1] * u1 + a[k + 2] * u2 + a[k + 3] * u3;
                zb[j] += b[k] * u0 + b[k + 1] * u1 + b[k + 2] * u2 + b[k + 3] * u3;
                zc[j] += c[k] * u0 + c[k + 1] * u1 + c[k + 2] * u2 + c[k + 3] * u3;
                zd[j] += d[k] * u0 + d[k + 1] * u1 + d[k + 2] * u2 + d[k + 3] * u3;
                ze[j] += e[k] * u0 + e[k + 1] * u1 + e[k + 2] * u2 + e[k + 3] * u3;
            }
        }
    }
    for (; r < many; r++) one_row(x + r * across, w, z + r * along, rows, m);
}

INLINE void gates(float *restrict z, const float *restrict p, const float *restrict c) {
    for (int j = 0; j < H; j++) z[j] = sigmoid(z[j] + p[j] * c[j]);
    for (int j = 0; j < H; j++) z[H + j] = sigmoid(z[H + j] + p[H + j] * c[j]);
    for (int j = 0; j < H; j++) z[2 * H + j] = sigmoid(z[2 * H + j] + p[2 * H + j] * c[j]);
    for (int j = 0; j < H; j++) z[3 * H + j] = squash(z[3 * H + j]);
}

INLINE void cell_on(const float *restrict z, const float *restrict before, float *restrict after, float *restrict out,
                    float *restrict h) {
    for (int j = 0; j < H; j++) after[j] = z[H + j] * before[j] + z[j] * z[3 * H + j];
    for (int j = 0; j < H; j++) out[j] = squash(after[j]);
    for (int j = 0; j < H; j++) h[j] = z[2 * H + j] * out[j];
}

INLINE void say(const float *restrict w, const float *restrict h, float *restrict out) {
    for (int l = 0; l < L; l++) {
        float sum = 0;
        for (int j = 0; j < H; j++) sum += w[AT_V + l * H + j] * h[j];
        out[l] = w[AT_D + l] + sum;
    }
}

void forecast(State *restrict s, const float *restrict x, float *restrict said) {
    for (int j = 0; j < D; j++) s->a[j] = x[j];
    for (int j = 0; j < M; j++) s->z[j] = s->weights[AT_B + j];
    one_row(s->a, s->weights, s->z, D + H, M);
    gates(s->z, s->weights + AT_P, s->c);
    for (int j = 0; j < H; j++) {
        s->c[j] = s->z[H + j] * s->c[j] + s->z[j] * s->z[3 * H + j];
        s->a[D + j] = s->z[2 * H + j] * squash(s->c[j]);
        s->c[j] = kept(s->c[j]);
    }
    say(s->weights, s->a + D, said);
}

INLINE void inputs_forward(State *restrict s) {
    for (int t = 0; t < K; t++)
        for (int r = 0; r < B; r++)
            for (int j = 0; j < M; j++) s->gates[t][r][j] = s->weights[AT_B + j];
    product(s->first[0][0], D + H, s->weights, s->gates[0][0], M, K * B, D, M);
}

INLINE void hidden_forward(State *restrict s, int t) {
    product(s->first[t][0] + D, D + H, s->weights + D * M, s->gates[t][0], M, B, H, M);
}

INLINE void gates_forward(State *restrict s, int t) {
    for (int r = 0; r < B; r++) {
        gates(s->gates[t][r], s->weights + AT_P, s->cells[t][r]);
        cell_on(s->gates[t][r], s->cells[t][r], s->cells[t + 1][r], s->squashed[t][r], s->first[t + 1][r] + D);
    }
}

void heads(State *restrict s, const float *restrict label, int64_t k) {
    float *restrict g = s->gradient;
    const float *restrict v = s->weights + AT_V;
    for (int r = B - 1; r >= 0; r--)
        for (int t = 0; t < K; t++) {
            const float *target = label + (k + 1 - (r + 1) * K + t) * L;
            float *restrict h = s->first[t + 1][r] + D, *restrict dh = s->dh[t][r];
            say(s->weights, h, s->out);
            for (int j = 0; j < H; j++) dh[j] = 0;
            for (int l = 0; l < L; l++) {
                float e = s->out[l] - target[l];
                e = e < -1.0f ? -1.0f : e > 1.0f ? 1.0f : e;
                g[AT_D + l] += e;
                for (int j = 0; j < H; j++) g[AT_V + l * H + j] += e * h[j];
                for (int j = 0; j < H; j++) dh[j] += e * v[l * H + j];
            }
        }
}

/* d += w z for one row of z: w has H rows of M columns, and eight of them share what is read of z. */
static void row_back(const float *restrict z, const float *restrict w, float *restrict d) {
    for (int k = 0; k < H; k += 8, w += 8 * M) {
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
        for (int j = 0; j < M; j++) {
            s0 += w[j] * z[j], s1 += w[M + j] * z[j], s2 += w[2 * M + j] * z[j], s3 += w[3 * M + j] * z[j];
            s4 += w[4 * M + j] * z[j], s5 += w[5 * M + j] * z[j], s6 += w[6 * M + j] * z[j], s7 += w[7 * M + j] * z[j];
        }
        d[k] += s0, d[k + 1] += s1, d[k + 2] += s2, d[k + 3] += s3;
        d[k + 4] += s4, d[k + 5] += s5, d[k + 6] += s6, d[k + 7] += s7;
    }
}

/* Many rows go through a turned copy of w; for one, the copy would cost more than it saves. */
INLINE void turn(State *restrict s) {
    if (B > 1)
        for (int k = 0; k < H; k++)
            for (int j = 0; j < M; j++) s->wt[j][k] = s->weights[(D + k) * M + j];
}

INLINE void hidden_back(State *restrict s, int t) {
    if (B > 1)
        product(s->gates[t][0], M, s->wt[0], s->dh[t - 1][0], H, B, M, H);
    else
        row_back(s->gates[t][0], s->weights + D * M, s->dh[t - 1][0]);
}

INLINE void cell_back(const float *restrict p, const float *restrict before, float *restrict z, float *restrict out,
                      float *restrict dh, float *restrict dc) {
    float *restrict i = z, *restrict f = z + H, *restrict o = z + 2 * H, *restrict g = z + 3 * H;
    for (int j = 0; j < H; j++) {
        float di = i[j], df = f[j], od = o[j], dg = g[j], u = out[j], d = dh[j], back = dc[j];
        back += d * od * (1 - u * u);
        float zo = d * u * od * (1 - od);
        float zf = back * before[j] * df * (1 - df);
        float zg = back * di * (1 - dg * dg);
        float zi = back * dg * di * (1 - di);
        dc[j] = back * df + p[j] * zi + p[H + j] * zf + p[2 * H + j] * zo;
        i[j] = zi, f[j] = zf, o[j] = zo, g[j] = zg;
    }
}

INLINE void gates_back(State *restrict s, int t) {
    for (int r = 0; r < B; r++)
        cell_back(s->weights + AT_P, s->cells[t][r], s->gates[t][r], s->squashed[t][r], s->dh[t][r], s->dc[r]);
}

/* g += aᵀ dz over all steps of all windows, four rows and four steps at a time; then bias and peepholes. */
static void products(const float *restrict a, const float *restrict dz, float *restrict g) {
    enum { W = D + H };
    for (int k = 0; k < W; k += 4) {
        float *restrict g0 = g + k * M, *restrict g1 = g0 + M, *restrict g2 = g1 + M, *restrict g3 = g2 + M;
        for (int t = 0; t < K * B; t += 4) {
            const float *x = a + t * W + k, *u = dz + t * M;
            for (int j = 0; j < M; j++) {
                float u0 = u[j], u1 = u[M + j], u2 = u[2 * M + j], u3 = u[3 * M + j];
                g0[j] += x[0] * u0 + x[W] * u1 + x[2 * W] * u2 + x[3 * W] * u3;
                g1[j] += x[1] * u0 + x[W + 1] * u1 + x[2 * W + 1] * u2 + x[3 * W + 1] * u3;
                g2[j] += x[2] * u0 + x[W + 2] * u1 + x[2 * W + 2] * u2 + x[3 * W + 2] * u3;
                g3[j] += x[3] * u0 + x[W + 3] * u1 + x[2 * W + 3] * u2 + x[3 * W + 3] * u3;
            }
        }
    }
}

static void sums(const float *restrict dz, const float *restrict c, float *restrict gb, float *restrict gp) {
    for (int t = 0; t < K * B; t++, dz += M, c += H) {
        for (int j = 0; j < M; j++) gb[j] += dz[j];
        for (int j = 0; j < H; j++) gp[j] += dz[j] * c[j];
        for (int j = 0; j < H; j++) gp[H + j] += dz[H + j] * c[j];
        for (int j = 0; j < H; j++) gp[2 * H + j] += dz[2 * H + j] * c[j];
    }
}

INLINE void weigh(State *restrict s) {
    products(s->first[0][0], s->gates[0][0], s->gradient);
    sums(s->gates[0][0], s->cells[0][0], s->gradient + AT_B, s->gradient + AT_P);
}

/* Average the gradient, clip its norm, Adam with a running average of the weights. */
void move(State *restrict s) {
    float *restrict w = s->weights, *restrict m = s->first_moment, *restrict v = s->second_moment;
    float *restrict g = s->gradient, *restrict average = s->average;
    double share = 1.0 / (K * B * L);
    float square = 0;
    for (int j = 0; j < P; j++) square += g[j] * g[j];
    double size = sqrtf(square) * share;
    s->updates++;
    double scale = share * fmin(1.0, 1.0 / fmax(size, 1e-30));
    float step = 1e-3 / (1.0 - pow(0.9, s->updates)), spread = 1.0 / (1.0 - pow(0.99, s->updates)), shrink = scale;
    for (int j = 0; j < P; j++) {
        float gj = g[j] * shrink;
        g[j] = 0;
        m[j] = 0.9f * m[j] + (1.0f - 0.9f) * gj;
        v[j] = 0.99f * v[j] + (1.0f - 0.99f) * gj * gj;
        w[j] -= step * m[j] / (sqrtf(v[j] * spread) + 1e-8f);
        average[j] += 0.005f * (w[j] - average[j]);
    }
}

void update(State *restrict s, const float *restrict label, int64_t k) {
    inputs_forward(s);
    for (int t = 0; t < K; t++) {
        hidden_forward(s, t);
        gates_forward(s, t);
    }
    heads(s, label, k);
    for (int r = 0; r < B; r++)
        for (int j = 0; j < H; j++) s->dc[r][j] = 0;
    turn(s);
    for (int t = K - 1; t >= 0; t--) {
        gates_back(s, t);
        if (t > 0) hidden_back(s, t);
    }
    weigh(s);
    move(s);
}

void run(State *restrict s, const float *restrict x, const float *restrict label, float *restrict said, int64_t every,
         int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++) {
        if (every > 1) forecast(s, x + k * D, said + k * L);
        if ((k + 1) % every == 0) {
            int64_t steps = every < K ? every : K;
            for (int r = 0; r < B; r++) {
                for (int j = 0; j < H; j++) s->first[0][r][D + j] = s->first[steps][r][D + j];
                for (int j = 0; j < H; j++) s->cells[0][r][j] = kept(s->cells[steps][r][j]);
                for (int t = 0; t < K; t++)
                    for (int j = 0; j < D; j++) s->first[t][r][j] = x[(k + 1 - (r + 1) * K + t) * D + j];
            }
            update(s, label, k);
            if (every == 1)
                for (int l = 0; l < L; l++) said[k * L + l] = s->out[l];
        }
    }
}

/* One stage over and over, as in benchmarks/roofline/stages.py; `kept` restores what a stage uses up. */
void repeat(State *restrict s, const State *restrict kept, const float *restrict label, int64_t which, int64_t times) {
    for (int64_t n = 0; n < times; n++) switch (which) {
        case 0:
            inputs_forward(s);
            for (int t = 0; t < K; t++) hidden_forward(s, t);
            break;
        case 1:
            for (int t = 0; t < K; t++) gates_forward(s, t);
            break;
        case 2: heads(s, label, K * B - 1); break;
        case 3:
            turn(s);
            for (int t = K - 1; t > 0; t--) hidden_back(s, t);
            break;
        case 4:
        case 7:
            for (int j = 0; j < K * B * M; j++) s->gates[0][0][j] = kept->gates[0][0][j];
            for (int j = 0; j < K * B * H; j++) s->squashed[0][0][j] = kept->squashed[0][0][j];
            if (which == 4) for (int t = K - 1; t >= 0; t--) gates_back(s, t);
            break;
        case 5: weigh(s); break;
        case 6:
        case 8:
            for (int j = 0; j < P; j++) s->gradient[j] = kept->gradient[j];
            if (which == 6) move(s);
            break;
        case 9: update(s, label, K * B - 1); break;
    }
}
