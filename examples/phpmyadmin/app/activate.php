<?php
// Run once in the container, by `exec`: hands this phpMyAdmin its database and the key of its log-in cookies.
require_once '/app/own.php';

function handed_over(string $name, string $pattern): string
{
    $value = (string) getenv("TRY_IT_NOW_$name");
    if (!preg_match($pattern, $value)) {
        throw new RuntimeException("TRY_IT_NOW_$name is missing or not as it should be");
    }
    return $value;
}

try {
    $own = [
        'key' => hash_hmac('sha256', 'cookies', hex2bin(handed_over('SEED', '/^[0-9a-f]{64}$/D')), true),
        'socket' => handed_over('DATABASE_SOCKET', '#^/\S+$#D'),
        'name' => handed_over('DATABASE_NAME', '/^\w+$/D'),
        'user' => handed_over('DATABASE_USER', '/^\S+$/D'),
        'password' => handed_over('DATABASE_PASSWORD', '/^\S+$/D'),
    ];
    // Fails here, in words, rather than for the visitor.
    mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
    (new mysqli('localhost', $own['user'], $own['password'], $own['name'], 0, $own['socket']))->close();
    umask(0077);
    // Of two activations one makes the file.
    $file = @fopen(OWN_FILE, 'x');
    if ($file === false) {
        throw new RuntimeException(is_file(OWN_FILE) ? 'it was activated before' : OWN_FILE . ' cannot be made');
    }
    fwrite($file, '<?php return ' . var_export($own, true) . ";\n");
} catch (Throwable $error) {
    fwrite(STDERR, "This instance could not be activated: {$error->getMessage()}\n");
    exit(1);
}
