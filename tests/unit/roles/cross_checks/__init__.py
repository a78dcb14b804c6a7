"""Checks across the files of the roles, playbooks and inventories.

ansible-lint checks one file at a time; its rules are in tests/lint_rules. Each check here takes the
whole tree and yields what violates it, with the place and the correction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from role_tree import Tree

from cross_checks.options import (
    options_are_used,
    repeated_defaults_match_the_specification,
    shared_options_have_one_specification,
    values_match_their_specification,
)
from cross_checks.variables import (
    private_variables_are_used,
    role_variables_are_defined,
    set_variables_exist,
    used_variables_exist,
    vault_examples_are_complete,
)
from cross_checks.wiring import (
    each_template_has_one_task,
    handlers_are_notified,
    notifications_have_handlers,
    roles_are_used,
    roles_link_to_the_templates,
    template_paths_match_destinations,
)

Check = Callable[[Tree], Iterator[str]]
CHECKS: list[Check] = [
    each_template_has_one_task,
    handlers_are_notified,
    notifications_have_handlers,
    options_are_used,
    private_variables_are_used,
    repeated_defaults_match_the_specification,
    role_variables_are_defined,
    roles_are_used,
    roles_link_to_the_templates,
    set_variables_exist,
    shared_options_have_one_specification,
    template_paths_match_destinations,
    used_variables_exist,
    values_match_their_specification,
    vault_examples_are_complete,
]
