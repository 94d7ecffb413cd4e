<?php
// The servers beside the app, as its environment names them.
function database(): PDO
{
    $host = getenv('DB_HOST');
    return new PDO("pgsql:host=$host;dbname=guestbook", 'guestbook', (string) getenv('DB_PASSWORD'));
}

function cache(): Redis
{
    $cache = new Redis();
    $cache->connect((string) getenv('REDIS_HOST'));
    return $cache;
}
