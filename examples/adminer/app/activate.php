<?php
// Run once in the container, by `exec`: hands this Adminer its database and the key of its log-in cookies.
require_once '/app/own.php';

function handed_over(string $name): string
{
    $value = (string) getenv("TRY_IT_NOW_$name");
    if ($value === '') {
        throw new RuntimeException("TRY_IT_NOW_$name is missing");
    }
    return $value;
}

try {
    $own = [
        'key' => hash_hmac('sha256', 'cookies', handed_over('SEED')),
        // PostgreSQL's clients take the folder of the socket as the host.
        'folder' => dirname(handed_over('DATABASE_SOCKET')),
        'name' => handed_over('DATABASE_NAME'),
        'user' => handed_over('DATABASE_USER'),
        'password' => handed_over('DATABASE_PASSWORD'),
    ];
    // Fails here, in words, rather than for the visitor.
    new PDO("pgsql:host={$own['folder']};dbname={$own['name']}", $own['user'], $own['password']);
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
