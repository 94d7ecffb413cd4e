<?php
// Run once in the container, by `exec`: makes this WordPress the one of the instance named in the environment.
// Lies outside of what the web server serves. Exits with 1 and a sentence when it cannot.

require_once '/app/own.php';

const KEYS = ['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'];
const LOGIN = 'demo';

function handed_over(string $name, string $pattern): string
{
    $value = (string) getenv("TRY_IT_NOW_$name");
    if (!preg_match($pattern, $value)) {
        throw new RuntimeException("TRY_IT_NOW_$name is missing or not as it should be");
    }
    return $value;
}

/** @return array{constants: array<string, string>, password: string} */
function own_values(): array
{
    $seed = handed_over('SEED', '/^[0-9a-f]{64}$/D');
    $url = rtrim(handed_over('URL', '#^https?://[a-z0-9.-]+(:[0-9]+)?/$#D'), '/');
    $constants = [
        'DB_HOST' => 'localhost:' . handed_over('DATABASE_SOCKET', '#^/\S+$#D'),
        'DB_NAME' => handed_over('DATABASE_NAME', '/^[A-Za-z0-9_-]+$/D'),
        'DB_USER' => handed_over('DATABASE_USER', '/^\S+$/D'),
        'DB_PASSWORD' => handed_over('DATABASE_PASSWORD', '/^\S+$/D'),
        'WP_HOME' => $url,
        'WP_SITEURL' => $url,
        'COOKIEHASH' => substr(derive($seed, 'cookies'), 0, 32),
        'TRY_IT_NOW_LOGIN' => LOGIN,
        'TRY_IT_NOW_PASSWORD' => readable_password(derive($seed, 'password of ' . LOGIN)),
    ];
    foreach (KEYS as $key) {
        $constants[$key] = derive($seed, $key);
    }
    return $constants;
}

function hand_over_database(array $own): void
{
    mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
    $database = mysqli_init();
    $database->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
    $database->real_connect('localhost', $own['DB_USER'], $own['DB_PASSWORD'], $own['DB_NAME'], 0, substr($own['DB_HOST'], strlen('localhost:')));
    $database->set_charset('utf8mb4');
    require_once '/app/wordpress/wp-includes/class-phpass.php';
    $hash = (new PasswordHash(8, true))->HashPassword($own['TRY_IT_NOW_PASSWORD']);
    $url = $own['WP_HOME'];
    $database->begin_transaction();
    $database->execute_query("UPDATE wp_options SET option_value = ? WHERE option_name IN ('siteurl', 'home')", [$url]);
    $database->execute_query('UPDATE wp_posts SET guid = REPLACE(guid, ?, ?), post_content = REPLACE(post_content, ?, ?)', [SEED_URL, $url, SEED_URL, $url]);
    $database->execute_query("UPDATE wp_users SET user_pass = ?, user_activation_key = '' WHERE user_login = ?", [$hash, LOGIN]);
    if ($database->affected_rows !== 1) {
        throw new RuntimeException('the database has no user ' . LOGIN . '; was it filled from examples/wordpress/seed.sql?');
    }
    // What WordPress draws once and keeps would be the same in every copy of the seed; without it, it draws again.
    $database->query("DELETE FROM wp_usermeta WHERE meta_key = 'session_tokens'");
    $database->query("DELETE FROM wp_options WHERE option_name IN ('secret_key', 'recovery_keys', 'auth_key', 'auth_salt', 'logged_in_key', 'logged_in_salt', 'nonce_key', 'nonce_salt', 'secure_auth_key', 'secure_auth_salt')");
    $database->commit();
}

function write_own(array $own): void
{
    umask(0077);
    $new = OWN_FILE . '.new';
    if (file_put_contents($new, '<?php return ' . var_export($own, true) . ";\n") === false || !rename($new, OWN_FILE)) {
        throw new RuntimeException(OWN_FILE . ' cannot be written');
    }
}

/** The address that lets the visitor in; what it leads to is filled in when somebody comes. */
function first_step(): string
{
    $token = derive(handed_over('SEED', '/^[0-9a-f]{64}$/D'), FIRST_STEP);
    if (file_put_contents(FIRST_STEP_FILE, hash('sha256', $token)) === false) {
        throw new RuntimeException(FIRST_STEP_FILE . ' cannot be written');
    }
    return '/?' . FIRST_STEP . "=$token&to={open}";
}

if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit;
}
// The folder is the lock: making it succeeds once.
if (!@mkdir(OWN_FOLDER, 0700)) {
    fwrite(STDERR, is_dir(OWN_FOLDER) ? "This shop was activated before.\n" : OWN_FOLDER . " cannot be made.\n");
    exit(1);
}
try {
    $own = own_values();
    hand_over_database($own);
    write_own($own);
    echo json_encode(['open' => first_step()], JSON_UNESCAPED_SLASHES), "\n";
} catch (Throwable $error) {
    @rmdir(OWN_FOLDER);
    fwrite(STDERR, "This shop could not be activated: {$error->getMessage()}\n");
    exit(1);
}
