"""Entry point: parses, carries out, turns every expected failure into one sentence."""

import signal
import sys
from collections.abc import Sequence

from gateway.cli.client import GatewayUnreachable, Refused
from gateway.cli.exits import Exit, Failure
from gateway.cli.parser import build_parser, load_command
from gateway.local import GatewayStarting, HomeTaken, HomeUnusable
from gateway.version import read_version


def main(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit status."""
    parser = build_parser()
    args = parser.parse_args(arguments)
    if args.version:
        print(f"claude-runner {read_version()}")
        return Exit.OK
    if "module" not in args:
        parser.print_help(sys.stderr)
        return Exit.WRONG_USE
    try:
        status = load_command(args)(args)
        sys.stdout.flush()
        return status
    except Failure as failure:
        return _fail(failure, failure.status)
    except (HomeTaken, HomeUnusable) as error:
        return _fail(error, Exit.WRONG_USE)
    except (Refused, GatewayUnreachable, GatewayStarting) as error:
        return _fail(error, Exit.FAILED)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; nobody is left to tell.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)
        return Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _fail(error: Exception, status: Exit) -> int:
    print(f"claude-runner: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
