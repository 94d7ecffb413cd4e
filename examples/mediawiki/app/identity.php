<?php
// What two instances must answer differently, without giving the secrets away.
$wiki = new PDO('sqlite:/data/wiki.sqlite');
$token = $wiki->query('SELECT user_token FROM user WHERE user_id = 1')->fetchColumn();
echo hash('sha256', @file_get_contents('/app/own/key') . $token), "\n";
