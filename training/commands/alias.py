"""`python -m training alias`: its options, and what it prints."""

from __future__ import annotations

from typing import Annotated

import typer

from training.commands.options import Model, Version
from training.commands.shell import given_settings, one_line_errors, registered_of, say
from training.configuration.names import check_alias
from training.errors import DataError


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""

    @app.command()
    def alias(
        name: Annotated[str, typer.Argument(help="The alias, such as blue; a deployment's API_MODEL_ALIAS.")],
        version: Version,
        model: Model = None,
    ) -> None:
        """Point an alias of your own to a version: what a deployment that follows this alias answers with.

        The champion is made by `promote` and `rollback`, which ask the gates and leave an event.
        """
        with one_line_errors():
            from training.registry.registered import CHAMPION

            check_alias(name, "the alias")
            if name == CHAMPION:
                raise DataError("champion is moved by `python -m training promote VERSION`, which asks the gates")
            registered = registered_of(given_settings(), model)
            found = registered.find(version)
            registered.registry.set_alias(found, name)
            say([f"{found.model}/{found.version} has the alias {name}"])
