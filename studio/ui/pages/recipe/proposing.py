"""When and how the proposal becomes the recipe: asked for, unasked, or following."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from studio.domain.options import Value
from studio.domain.recommend.policy import Goal
from studio.domain.recommend.proposal import Proposal
from studio.services.project import Project
from studio.ui.pages.recipe.expert_rows import (
    ON_OTHER_PAGES,
    is_untouched,
    own_changes,
    proposed_values,
    recommended,
)
from studio.ui.pages.recipe.knowledge import Knowledge


class Proposer:
    """What taking the proposal would set; what the user set stays."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._proposed: set[str] = set()

    def values(self, project: Project) -> dict[str, Value]:
        """What taking the proposal would set; what the user set stays."""
        own = project.own_keys
        return proposed_values(
            project.recipe, self._knowledge.proposed(project.recipe, own), own
        )

    def first_values(self, project: Project) -> dict[str, Value]:
        """What to set unasked, once, in a project whose recipe nobody has touched."""
        values = self.coming_first_values(project)
        if values is None:
            return {}
        self._proposed.add(project.slug)
        return values

    def coming_first_values(self, project: Project) -> dict[str, Value] | None:
        """What `first_values` would set; None when it is not the time for it."""
        known = project.slug in self._proposed or project.run_directories()
        if known or not is_untouched(project.recipe):
            return None
        proposal = self._knowledge.proposed(project.recipe, frozenset())
        if proposal is None:
            return None
        return proposed_values(project.recipe, proposal, frozenset())

    def following(
        self, project: Project, values: Mapping[str, Value]
    ) -> dict[str, Value]:
        """What else changes when the user sets `values`.

        Where everything else is as proposed, it goes on to be: what is free is shared
        out anew around what the user chose. A recipe of somebody's own is left alone.
        """
        if self.values(project):
            return {}
        kept = project.own_keys | set(values)
        changed = project.recipe.with_values(values)
        proposal = self._knowledge.proposed(changed, kept)
        if proposal is None or not proposal.fits:
            return {}
        return proposed_values(changed, proposal, kept)

    def given_back(self, project: Project, key: str) -> dict[str, Value]:
        """What leaving an option to the proposal again would set.

        Where all else is as proposed, it is shared out anew, as in `following`.
        """
        kept = project.own_keys - {key}
        proposal = self._knowledge.proposed(project.recipe, kept)
        value = {key: recommended(key, proposal)}
        if self.values(project):
            return value
        return proposed_values(project.recipe, proposal, kept) | value

    def all_given_back(self, project: Project) -> dict[str, Value]:
        """What leaving every option of this page to the proposal again would set."""
        free = self._knowledge.proposed(project.recipe, frozenset())
        here = project.own_keys.difference(ON_OTHER_PAGES)
        own = {key: recommended(key, free) for key in here}
        return own_changes(project.recipe, free) | own

    def for_goal(self, project: Project, goal: Goal) -> dict[str, Value]:
        """What choosing a goal would set; what the user set stays."""
        own = project.own_keys
        proposal = self._knowledge.proposed(project.recipe, own, goal)
        return proposed_values(project.recipe, proposal, own)

    def advice(self, project: Project | None) -> Proposal | None:
        """What is recommended for each option.

        For those that the user set, what would be without any of them; for the
        others, what suits those.
        """
        if project is None:
            return None
        own = project.own_keys
        around = self._knowledge.proposed(project.recipe, own)
        return around if around is None or not own else self._merged(around, own)

    def _merged(self, around: Proposal, own: AbstractSet[str]) -> Proposal:
        free = self._knowledge.proposed(around.recipe, frozenset(), around.goal)
        if free is None:
            return around
        recipe = around.recipe.with_values({k: free.recipe.value(k) for k in own})
        told = (
            *(each for each in free.reasons if not own.isdisjoint(each.keys)),
            *(each for each in around.reasons if own.isdisjoint(each.keys)),
        )
        order = {each.key: place for place, each in enumerate(free.reasons)}
        reasons = sorted(told, key=lambda each: order.get(each.key, len(order)))
        return Proposal(
            recipe,
            around.estimate,
            around.verdict,
            tuple(reasons),
            around.goal,
            around.missing_bytes,
        )
