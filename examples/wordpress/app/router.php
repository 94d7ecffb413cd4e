<?php
// The front door, for PHP's built-in server: our own addresses, files with caching, and pretty permalinks.

require_once '/app/own.php';

$path = rawurldecode((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));

if (str_starts_with($path, '/.try-it-now/')) {
    require '/app/own-addresses.php';
    return true;
}
if (!is_file(OWN_FILE)) {
    http_response_code(503);
    header('Retry-After: 1');
    header('Content-Type: text/plain');
    echo "This shop has not been handed over to anybody yet.\n";
    return true;
}

$root = $_SERVER['DOCUMENT_ROOT'];
// realpath takes `..` and links out, so nothing outside of WordPress is served but what it links to itself.
$file = str_contains($path, "\0") || str_contains($path, '/.') ? false : realpath($root . $path);
if ($file !== false && is_dir($file) && is_file("$file/index.php") && $path !== '/') {
    if (!str_ends_with($path, '/')) {
        header('Location: ' . $path . '/', true, 301);
        return true;
    }
    return false;
}
if ($file !== false && is_file($file)) {
    // The server itself runs it, with the variables that WordPress expects.
    if (str_ends_with($file, '.php')) {
        return false;
    }
    require_once '/app/static-file.php';
    return send_static_file($file);
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = "$root/index.php";
chdir($root);
require "$root/index.php";
return true;
