"""The door: which commands there are, and what an error looks like from outside.

Exit codes: 0 done, 1 a clear error, 2 wrong usage, 3 the doctor found something, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from rich.console import Console

from cryoglean.environment import is_launched
from cryoglean.errors import CryogleanError, SettingsError

_COMMANDS = {
    "demo": "Simulate micrographs, learn from two of them, pick the others, and show how well it went.",
    "simulate": "Make micrographs whose particles are known.",
    "fetch": "Download a public data set: CryoPPP with its labels, or micrographs of EMPIAR.",
    "train": "Learn to pick from a few labelled micrographs.",
    "pick": "Pick micrographs with a trained run.",
    "relion": "Learn and pick as an external job of RELION.",
    "convert": "Convert picks from one program's files to another's.",
    "evaluate": "Compare picks with the truth.",
    "experiment": "Compare ways to learn over labelled ratios and seeds, on this machine or a cluster.",
    "results": "Ask the results of an experiment, with SQL if you like.",
    "report": "Make the report page of a run.",
    "doctor": "Find why picking fails, with evidence and settings that mend it.",
    "pseudolabel": "Run the source notes' experiment: what pseudo-labels bring at 5 and 10 % labels.",
    "prior": "Say how many particles a micrograph holds, by every source of a run that can tell.",
    "list": "List strategies, formats, models, losses, checks, presets, molecules, definitions or settings.",
    "show": "Draw a micrograph with its picks, or patches with a particle beside unlabelled ones.",
}
_HELP = "Label a handful of cryo-EM micrographs, and it picks the rest.\n\nStart with `cryoglean demo`."


def make_app() -> App:
    """The command line; each command is imported when it is called."""
    app = App(
        name="cryoglean", help=_HELP, version=_version, help_format="markdown", result_action="return_value",
        suppress_keyboard_interrupt=False,
    )  # fmt: skip
    for name, text in _COMMANDS.items():
        app.command(f"cryoglean.cli.{name}:{name}_command", name=name, help=text)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def relion_main() -> None:
    """The program `cryoglean-relion`, for those who want one word in RELION's field."""
    main(["relion", *sys.argv[1:]])


def run(arguments: Sequence[str]) -> int:
    """Run a command.

    Args:
        arguments: the words after `cryoglean`.

    Returns:
        The exit code.
    """
    console = Console(stderr=True, soft_wrap=True)
    if arguments[:1] == ["relion"]:
        from cryoglean.cli.relion_words import as_options, mark_refused

        arguments = ["relion", *as_options(arguments[1:])]
    try:
        _check_launcher(arguments)
        result = make_app()(
            list(arguments), exit_on_error=False, print_error=False, help_on_error=False, error_console=console
        )
    except CycloptsError as error:
        if arguments[:1] == ["relion"]:
            mark_refused(arguments)
        return _say(console, " ".join(str(error).split()), 2)
    except SettingsError as error:
        return _say(console, str(error), 2)
    except CryogleanError as error:
        return _say(console, str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _say(console, f"{error.filename or 'file system'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _say(console, "interrupted; the same command (with --resume for train) goes on from here", 130)
    return result if isinstance(result, int) else 0


def _check_launcher(arguments: Sequence[str]) -> None:
    """Only trainings are shared by several processes of `torchrun`; others would do the same work twice.

    Raises:
        SettingsError: another command was started so.
    """
    if is_launched() and arguments[:1] != ["train"]:
        raise SettingsError(
            "it starts only `cryoglean train`", where="torchrun",
            fix="Picking and experiments take --workers or --cluster.",
        )  # fmt: skip


def print_json(value: object) -> None:
    """One JSON document on standard output, for scripts."""
    print(json.dumps(value, indent=2, allow_nan=False))


def _say(console: Console, message: str, code: int) -> int:
    console.print(f"error: {message}", style="red", markup=False, highlight=False)
    return code


def _version() -> str:
    from importlib.metadata import version

    return version("cryoglean")
