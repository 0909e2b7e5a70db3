"""What the root script runs: this folder comes first on the path, wherever it was called from."""

import runpy

if __name__ == "__main__":
    runpy.run_module("gateway.cli", run_name="__main__", alter_sys=True)
