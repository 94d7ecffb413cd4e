<?php
// The front door, for PHP's built-in server: code and templates of phpMyAdmin are not files for visitors.
$path = rawurldecode((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
if (preg_match('#^/(?:libraries|templates|sql|locale)(?:/|$)|/\.|\.(?:inc\.php|twig)$#', $path) === 1) {
    http_response_code(403);
    echo "This is no page.\n";
    return true;
}
return false;
