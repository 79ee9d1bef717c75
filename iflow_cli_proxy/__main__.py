"""`python -m iflow_cli_proxy` is the `iflow2api` command."""

from iflow_cli_proxy.cli.app import main

if __name__ == "__main__":
    main()
