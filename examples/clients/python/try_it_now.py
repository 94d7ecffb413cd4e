#!/usr/bin/env python3
"""Takes a running app from a Try It Now server, keeps it a while longer, and gives it back.

Needs Python 3.9 and nothing else. The API is described by /api/openapi.json of the server.

    python3 try_it_now.py http://localhost:8080 --template hello --open /welcome --minutes 15
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
import urllib.error
import urllib.request


class Problem(Exception):
    """A refusal. `code` is stable and for programs; `remedy` says what to do about it."""

    def __init__(self, problem, retry_after_seconds=None):
        super().__init__(f"{problem['detail']} ({problem['code']}). {problem['remedy']}")
        self.code = problem["code"]
        self.remedy = problem["remedy"]
        self.retryable = problem["retryable"]
        self.retry_after_seconds = problem.get("retry_after_seconds", retry_after_seconds)
        self.challenge = problem.get("challenge")


REPEAT_SECONDS = 2


def solve(challenge):
    """What a server asks for while many want an instance: a number whose hash, behind the salt, is the one given."""
    for number in range(challenge["maxnumber"] + 1):
        if hashlib.sha256(f"{challenge['salt']}{number}".encode()).hexdigest() == challenge["challenge"]:
            found = {name: challenge[name] for name in ("algorithm", "challenge", "salt", "signature")}
            return base64.b64encode(json.dumps({**found, "number": number}).encode()).decode()
    raise ValueError("the challenge of the server has no solution")


class TryItNow:
    """The parts of the API that a visit takes."""

    def __init__(self, url, api_key=None, timeout_seconds=30):
        self._url = url.rstrip("/")
        self._headers = {} if api_key is None else {"X-API-Key": api_key}
        self._timeout_seconds = timeout_seconds

    def templates(self):
        """What can be tried."""
        return self._ask("GET", "/api/v1/templates")["templates"]

    def acquire(self, template=None, open=None, on_place=None, patience_seconds=600):
        """An instance; where none is ready, after waiting in line for one. Raises Problem, or TimeoutError."""
        if template is None:
            template = next(each["name"] for each in self.templates() if each["default"])
        # A place of our own making: a request whose answer is lost can be repeated, and finds the same instance.
        place = f"{template}.{base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip('=')}"
        wish = {"template": template, "place": place, **({} if open is None else {"open": open})}
        give_up_at = time.monotonic() + patience_seconds
        try:
            while True:
                answer = self._wait_in_line(wish, give_up_at)
                if "url" in answer:
                    return answer
                if on_place is not None:
                    on_place(answer)
                if time.monotonic() > give_up_at:
                    raise TimeoutError(f"no instance of {template} within {patience_seconds} s")
                time.sleep(answer["ask_again_seconds"])
        except (KeyboardInterrupt, TimeoutError):
            # Those behind move up at once.
            self._ask("DELETE", f"/api/v1/waiting/{place}")
            raise

    def _wait_in_line(self, wish, give_up_at):
        while True:
            try:
                return self._ask("POST", "/api/v1/waiting", wish)
            except Problem as problem:
                if problem.challenge is not None and "altcha" not in wish:
                    wish = {**wish, "altcha": solve(problem.challenge)}
                elif not problem.retryable or time.monotonic() > give_up_at:
                    raise
                else:
                    time.sleep(problem.retry_after_seconds or REPEAT_SECONDS)
            except OSError:
                # It is restarted, or the line is bad for a moment.
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(REPEAT_SECONDS)

    def look(self, id):
        return self._ask("GET", f"/api/v1/demo/{id}")

    def extend(self, id, minutes):
        return self._ask("POST", f"/api/v1/demo/{id}/extend", {"minutes": minutes})

    def download(self, id, file):
        """Saves what the template lets be taken home; nothing of it is kept in memory."""
        with self._open("GET", f"/api/v1/demo/{id}/export") as answer, open(file, "wb") as saved:
            shutil.copyfileobj(answer, saved)

    def release(self, id):
        self._ask("DELETE", f"/api/v1/demo/{id}")

    def _ask(self, method, path, body=None):
        with self._open(method, path, body) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def _open(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, **({} if data is None else {"Content-Type": "application/json"})}
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=self._timeout_seconds)
        except urllib.error.HTTPError as refusal:
            raise Problem(problem_of(refusal), retry_after(refusal)) from None


def problem_of(refusal):
    if refusal.headers.get_content_type() == "application/problem+json":
        return json.loads(refusal.read())
    # Of a proxy before the server.
    return {
        "detail": f"{refusal.url} answered {refusal.code}",
        "code": "no_answer",
        "remedy": "Look at what stands between here and the server.",
        "retryable": refusal.code in (502, 503, 504),
    }


def retry_after(refusal):
    seconds = refusal.headers.get("Retry-After", "")
    return int(seconds) if seconds.isdigit() else None


def main():
    parser = argparse.ArgumentParser(description="Takes an app, keeps it longer, and gives it back.")
    parser.add_argument("url", help="where the server answers, such as http://localhost:8080")
    parser.add_argument("--template", help="which app; without it the server's first")
    parser.add_argument("--open", help="where to land, of what the template allows")
    parser.add_argument("--minutes", type=int, help="keep it so much longer")
    parser.add_argument("--save", metavar="FILE", help="download what is in it, where the template offers that")
    parser.add_argument("--keep", action="store_true", help="do not give it back")
    options = parser.parse_args()
    # A key is read from the environment: in an argument everybody on the host could see it.
    server = TryItNow(options.url, api_key=os.environ.get("TRY_IT_NOW_API_KEY"))
    demo = server.acquire(
        options.template,
        options.open,
        on_place=lambda place: print(f"waiting: place {place['position']}, about {place['eta_seconds']} s"),
    )
    print(f"open {demo['url']}", flush=True)
    if options.minutes is not None:
        demo = {**demo, **server.extend(demo["id"], options.minutes)}
    print(f"yours for {demo['ttl_seconds']} s, until {demo['expires_at']}")
    if options.save is not None:
        server.download(demo["id"], options.save)
        print(f"saved {options.save}")
    if not options.keep:
        server.release(demo["id"])
        print("given back")


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(str(problem))
    except urllib.error.URLError as failure:
        sys.exit(f"The server does not answer: {failure.reason}")
