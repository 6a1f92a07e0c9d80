"""A stock llama-server that can be killed, frozen and started again on its port."""

import os
import re
import signal
import subprocess
import urllib.request

from gateway_process import STEADY, free_port, wait_for


class RealLlama:
    def __init__(self, binary, model, port=0, arguments=()):
        self.binary, self.model, self.port, self.arguments = binary, model, port or free_port(), arguments
        self.url = f"http://127.0.0.1:{self.port}"
        # One sequence at a time and no cache: what a text gives depends on nothing else.
        self.process = subprocess.Popen(
            [str(a) for a in (binary, "-m", model, "--host", "127.0.0.1", "--port", self.port, "-t", "1", "-tb", "1", "-c", "1024",
                              "-np", "1", *STEADY, "--no-webui", "--metrics", *arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.is_ready, 60, "the llama-server is ready")

    def get(self, path):
        return urllib.request.urlopen(self.url + path, timeout=5).read().decode()

    def is_ready(self):
        assert self.process.poll() is None, f"llama-server ended with {self.process.returncode}"
        try:
            return bool(self.get("/health"))
        except OSError:
            return False

    def n_asked(self):
        """Ids of all prompts so far."""
        return int(re.search(r"^llamacpp:prompt_tokens_total (\d+)", self.get("/metrics"), re.M).group(1))

    @property
    def frozen(self):
        return False

    @frozen.setter
    def frozen(self, value):
        os.kill(self.process.pid, signal.SIGSTOP if value else signal.SIGCONT)

    def again(self, model=None):
        return RealLlama(self.binary, model or self.model, self.port, self.arguments)

    def close(self):
        self.process.kill()
        self.process.wait()
