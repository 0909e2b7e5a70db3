"""``doctor``: what this machine offers, one line per finding."""

import json
from argparse import Namespace

from gateway.cli import doctor_connector
from gateway.cli.exits import Exit
from gateway.cli.home import read_settings
from gateway.doctor.findings import Finding, Grade
from gateway.doctor.machine import examine


def run(args: Namespace) -> int:
    """Print every finding; fail when one is a problem."""
    if args.subject == "connector":
        return doctor_connector.run(args)
    findings = list(examine(read_settings(args)))
    if args.json:
        print(json.dumps([_as_json(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.grade:<8} {finding.subject:<13} {finding.text}")
    return Exit.FAILED if any(each.grade is Grade.PROBLEM for each in findings) else Exit.OK


def _as_json(finding: Finding) -> dict[str, str]:
    grade = finding.grade.value.lower()
    return {"subject": finding.subject, "grade": grade, "text": finding.text}
