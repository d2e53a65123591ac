"""The catalogue of words: whatever a page or a command can name has a sentence."""

from curate.record import Reason
from curate.report.words import FAULTS, REASONS, TASKS
from filters.evaluate.rules import EvaluateRules
from filters.methods.ours.inject import FAULTS as INJECTED


def test_every_reason_fault_and_task_has_its_words() -> None:
    assert set(REASONS) == set(Reason)
    assert set(INJECTED) <= set(FAULTS)
    assert set(EvaluateRules().tasks) <= set(TASKS)
