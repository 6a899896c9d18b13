"""Asks every question that can be asked, and says of each other one why not."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from accept import checks_cloud, checks_cluster
from accept.account import AcceptError, utc_now, written
from accept.checks import CHECKS, NotAsked
from accept.life import World
from accept.questions import BY_ID, QUESTIONS, Question
from accept.recording import Answer, Asker, Scrubber

MODULES = (checks_cloud, checks_cluster)
"""Imported so that their checks are declared."""

NO_CLOUD = "is about more than RDS"
NO_AURORA = "needs AURORA=1"


def ask_all(world: World, scrubber: Scrubber, has_cloud: bool, done: Callable[[Answer], None]) -> None:
    """Asks in the order of the checks; `done` gets each answer as soon as there is one."""
    for question in QUESTIONS:
        reason = why_not(question, world.aurora, has_cloud)
        if reason:
            done(Answer(question.id, question.text, not_asked=reason))
    for id_, check in CHECKS.items():
        question = BY_ID[id_]
        if why_not(question, world.aurora, has_cloud):
            continue
        answer = Answer(id_, question.text)
        asker = Asker(world.account, scrubber, answer)
        try:
            check(world, asker)
        except NotAsked as reason:
            answer.not_asked = str(reason)
        except (AcceptError, ClientError, LookupError, TypeError, ValueError) as error:
            # What AWS never did, or answers in another form than its model has, is an answer as well. It must not cost
            # the answers to all other questions.
            asker.say(gave_up=f"{type(error).__name__}: {error}")
        answer.ended = written(utc_now())
        done(answer)


def why_not(question: Question, aurora: bool, has_cloud: bool) -> str:
    """The reason why a question is not asked, if there is one."""
    if question.never:
        return question.never
    if question.same_as:
        return f"the answer is that to {question.same_as}"
    if question.needs_aurora and not aurora:
        return NO_AURORA
    if question.needs_cloud and not has_cloud:
        return NO_CLOUD
    return ""


def in_order(answers: dict[str, Answer]) -> list[Answer]:
    """The answers in the order of the list of questions."""
    return [answers[question.id] for question in QUESTIONS if question.id in answers]
