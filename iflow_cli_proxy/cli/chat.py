"""`chat`: one streamed answer in the terminal, the quickest smoke test."""

from __future__ import annotations

from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def chat(
    ctx: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What to ask; `-` reads standard input.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Which model; else the first one listed.")] = "",
    url: Annotated[
        str, typer.Option(metavar="URL", help="The running gateway; else the one this configuration starts.")
    ] = "",
    system: Annotated[str, typer.Option(help="A system prompt.")] = "",
    hide_thinking: Annotated[bool, typer.Option("--hide-thinking", help="Do not show the model's thinking.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask a running gateway and print the answer as it comes."""
    import asyncio
    import sys

    from iflow_cli_proxy.cli.chatting import Question, ask_gateway
    from iflow_cli_proxy.cli.output import print_json

    text = sys.stdin.read() if prompt == "-" else prompt
    question = Question(prompt=text, model=model, system=system, shows_thinking=not hide_thinking and not as_json)
    answer = asyncio.run(ask_gateway(session(ctx, config), url, question, is_quiet=as_json))
    if as_json:
        print_json(answer)
