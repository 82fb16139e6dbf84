"""What a key with a filter may do with each route. A route that is not in the table is refused to such a key, and fails a test."""

from typing import Literal

from litestar.exceptions import PermissionDeniedException

from api.keys import Key

# filtered: only documents that match the key's filter are read or written.
# own:      only records that the key itself has made.
# whole:    shows or changes something of documents outside of the filter, so a key with a filter gets a 403.
# harmless: shows nothing of any document: counts, times, settings.
# open:     needs no key (on this machine, for `metrics`).
Access = Literal["filtered", "own", "whole", "harmless", "open"]

ACCESS: dict[str, Access] = {
    "search": "filtered",
    "mcp": "filtered",  # its tools are search, ask and get_document; list_releases is harmless
    "ask": "filtered",
    "get_answer": "own",
    "replay_answer": "own",  # asked again with the filter that the record has
    "chat_completions": "filtered",
    "list_models": "harmless",
    "get_model": "harmless",
    "give_feedback": "own",
    "list_feedback": "whole",  # comments on answers of other keys
    "put_document": "filtered",
    "delete_document": "filtered",
    "get_document": "filtered",
    "list_documents": "filtered",
    "post_documents": "filtered",
    "replay_document": "filtered",
    "replay_quarantine": "filtered",
    "duplicates": "whole",
    "freshness": "whole",  # names sources, and what the ingester can't take
    "list_releases": "harmless",
    "live_release": "harmless",
    "get_release": "harmless",
    "shadow": "harmless",
    "promote": "whole",
    "rollback": "whole",
    "resume": "whole",
    "start_rebuild": "whole",
    "list_rebuilds": "harmless",
    "get_rebuild": "harmless",
    "cancel_rebuild": "whole",
    "audit": "whole",  # names documents that were purged
    "start_evaluation": "whole",
    "list_evaluations": "whole",  # rows of questions, with documents that were found
    "get_evaluation": "whole",
    "list_golden": "whole",  # questions quote any document
    "get_golden": "whole",
    "put_golden": "whole",
    "drop_golden": "whole",
    "check_golden": "whole",
    "list_proposals": "whole",
    "make_proposals": "whole",
    "decide_proposal": "whole",
    "judge": "harmless",
    "examine_judge": "whole",
    "plan": "whole",  # names documents of any source, and files on the server
    "capacity": "harmless",
    "drift": "whole",  # examples are questions of others, and documents
    "picture": "whole",
    "create_key": "whole",
    "list_keys": "whole",
    "rotate_key": "whole",
    "revoke_key": "whole",
    "health": "open",
    "live": "open",
    "ready": "open",
    "metrics": "harmless",
}


def check(key: Key, operation: str | None) -> None:
    """Raises a 403 where a key with a filter would see or change more than its filter lets it."""
    if key.filter and ACCESS.get(operation or "", "whole") == "whole":
        raise PermissionDeniedException("this is about all documents, and your key reads only some of them")
