"""What must be each instance's own: the key that log-in cookies are signed with.

POST /.try-it-now/activate, once, with the body of an activation; GET /.try-it-now/identity.
"""
import hashlib
import json
import re

from tornado.web import RequestHandler

SEED = re.compile(r'[0-9a-f]{64}')


class Activate(RequestHandler):
    def check_xsrf_cookie(self):
        """It is no browser that comes here."""

    def post(self):
        if self.settings.get('own_seed') is not None:
            self.set_status(409)
            self.finish('This instance has been activated.\n')
            return
        try:
            seed = json.loads(self.request.body).get('seed')
        except (ValueError, AttributeError):
            seed = None
        if not isinstance(seed, str) or SEED.fullmatch(seed) is None:
            self.set_status(400)
            self.finish('seed must be 64 hexadecimal digits\n')
            return
        self.settings['own_seed'] = seed
        self.settings['cookie_secret'] = hashlib.sha256(('cookies' + seed).encode()).digest()
        self.finish('ok\n')


class Identity(RequestHandler):
    def get(self):
        seed = self.settings.get('own_seed')
        self.finish('' if seed is None else hashlib.sha256(('identity' + seed).encode()).hexdigest())


def load_jupyter_server_extension(app):
    app.web_app.add_handlers('.*', [('/.try-it-now/activate', Activate), ('/.try-it-now/identity', Identity)])
