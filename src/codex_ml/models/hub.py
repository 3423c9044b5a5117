"""Whether the Hugging Face hub can be reached, asked once and quickly."""

from __future__ import annotations

from codex_ml.models.quiet import quiet

__all__ = ["unreachable"]

_SECONDS = 5.0


def unreachable() -> str | None:
    """Why the hub cannot be reached; None where it can, or where HF_HUB_OFFLINE forbids to ask.

    huggingface_hub itself tries five times for each file, which takes most of a minute without a network. It is asked
    by its own client, so that HF_ENDPOINT and proxies count, and any answer will do.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.is_offline_mode():
        return None
    try:
        with quiet():
            get_session().head(constants.ENDPOINT, timeout=_SECONDS, follow_redirects=False)
    # Those of the HTTP library that this version of huggingface_hub uses, which have no base in common.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"no connection to {constants.ENDPOINT}: {reason}"
    return None
