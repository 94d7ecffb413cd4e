<?php
// WordPress's configuration: what is the instance's own comes from activation, the rest is the same everywhere.

require_once '/app/own.php';
foreach (require OWN_FILE as $name => $value) {
    define($name, $value);
}
// TLS ends at the proxy; without this WordPress would send a visitor of an https address round in circles.
if (str_starts_with(WP_HOME, 'https:')) {
    $_SERVER['HTTPS'] = 'on';
}
const DB_CHARSET = 'utf8mb4';
const DB_COLLATE = '';
const WP_DEBUG = false;
// Connections to the outside are closed: nothing is looked up, updated or installed, and nothing waits for it in vain.
const WP_HTTP_BLOCK_EXTERNAL = true;
const AUTOMATIC_UPDATER_DISABLED = true;
const WP_AUTO_UPDATE_CORE = false;
const DISABLE_WP_CRON = true;
const DISALLOW_FILE_MODS = true;
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
