<?php
// The front door, for PHP's built-in server: code and data of the wiki are not files for visitors.
$path = rawurldecode((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
if (preg_match('#^/(?:includes|maintenance|mw-config|languages|vendor|cache|config)(?:/|$)|/\.|^/LocalSettings#', $path) === 1) {
    http_response_code(403);
    echo "This is no page.\n";
    return true;
}
return false;
