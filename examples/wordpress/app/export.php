<?php
// Run by `exec`: writes what is in this shop as WordPress's own export file, which any WordPress can import.

require_once '/app/own.php';

if (PHP_SAPI !== 'cli' || !is_file(OWN_FILE)) {
    fwrite(STDERR, "This shop has not been activated.\n");
    exit(1);
}
// In the middle of the file a warning would spoil it.
ini_set('display_errors', 'stderr');
$own = require OWN_FILE;
$_SERVER['HTTP_HOST'] = (string) parse_url($own['WP_HOME'], PHP_URL_HOST);
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
require_once '/app/wordpress/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/export.php';
export_wp();
