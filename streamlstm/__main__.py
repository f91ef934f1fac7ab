"""`python -m streamlstm` is the command `streamlstm`."""

from streamlstm.cli import main

main()
