<?php
// The front door: Adminer is one file, and asks this object what is particular about a place.
require_once '/app/own.php';
// It would have the visitor's browser look for a newer version.
$_COOKIE['adminer_version'] ??= '0';

function adminer_object(): Adminer
{
    return new class extends Adminer {
        public function name(): string
        {
            return 'Your database';
        }

        /** The key of the cookies that keep somebody logged in. */
        public function permanentLogin($create = false): string
        {
            return own()['key'] ?? '';
        }

        /** Who logs in as demo is the one user of this instance's database, whose password nobody could remember. */
        public function credentials(): array
        {
            $own = own();
            return $own === null ? ['', '', ''] : [$own['folder'], $own['user'], $own['password']];
        }

        public function login($login, $password): bool
        {
            return $login === 'demo' && $password === 'demo' && own() !== null;
        }

        public function database(): string
        {
            return own()['name'] ?? '';
        }

        public function databases($flush = true): array
        {
            return [$this->database()];
        }

        public function loginForm(): void
        {
            foreach (['driver' => 'pgsql', 'server' => '', 'db' => $this->database()] as $name => $value) {
                echo "<input type='hidden' name='auth[$name]' value='", h($value), "'>";
            }
            echo '<p>Log in as demo with the password demo.',
                '<table class="layout">',
                '<tr><th>Username<td><input name="auth[username]" autocomplete="username" autofocus>',
                '<tr><th>Password<td><input type="password" name="auth[password]" autocomplete="current-password">',
                '</table><p><input type="submit" value="Log in">';
        }
    };
}

require '/usr/share/adminer/adminer.php';
