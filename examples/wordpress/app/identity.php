<?php
// Run by `exec`: prints what no two instances may have in common, secrets as hashes.

require_once '/app/own.php';

if (PHP_SAPI !== 'cli' || !is_file(OWN_FILE)) {
    fwrite(STDERR, "This shop has not been activated.\n");
    exit(1);
}
$own = require OWN_FILE;
$hashed = ['cookies' => hash('sha256', $own['COOKIEHASH']), 'password' => hash('sha256', $own['TRY_IT_NOW_PASSWORD'])];
foreach ($own as $name => $value) {
    if (preg_match('/_(KEY|SALT)$/', $name)) {
        $hashed[strtolower($name)] = hash('sha256', $value);
    }
}
echo json_encode(['url' => $own['WP_HOME'], 'database' => $own['DB_NAME'], 'sha256' => $hashed], JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES), "\n";
