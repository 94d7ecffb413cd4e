<?php
// Run once in the container, by `exec`: gives this wiki the key of its sessions, and its user a token of its own, from the
// instance's seed.
$seed = (string) getenv('TRY_IT_NOW_SEED');
// Of two activations one makes the file.
umask(0077);
$file = preg_match('/^[0-9a-f]{64}$/D', $seed) === 1 ? @fopen('/app/own/key', 'x') : false;
if ($file === false) {
    fwrite(STDERR, "This instance could not be activated: the seed is missing, or it was activated before.\n");
    exit(1);
}
fwrite($file, hash_hmac('sha256', 'key', $seed));
$wiki = new PDO('sqlite:/data/wiki.sqlite');
$wiki->prepare('UPDATE user SET user_token = ?')->execute([substr(hash_hmac('sha256', 'token', $seed), 0, 32)]);
