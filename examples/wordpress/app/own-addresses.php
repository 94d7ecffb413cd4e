<?php
// Readiness and warm-up: both work without a database and before anything is handed over.

/**
 * Subjects that no page of a shop needs: libraries for old PHP, feeds and mail, set-up, networks of sites, file transfer;
 * and noop.php, which declares functions of others once more, so that those could not be compiled after it.
 */
const NEEDLESS = '#/(sodium_compat|random_compat|ID3|getid3|SimplePie|PHPMailer|Text|IXR|customize|maint|network|user|js|css|plugins)/'
    . '|/class-(ftp|json|pclzip|pop3|simplepie|snoopy|wp-(customize|filesystem|ms|xmlrpc))[^/]*$'
    . '|/(atomlib|credits|freedoms|ms-|noop|setup-config|install|schema|upgrade|wp-(activate|mail|signup|trackback)|xmlrpc)[^/]*$#';

/**
 * Compiles what pages are made of into the cache that all workers share. Nothing of it is run, so nothing is drawn or
 * remembered that clones of this process would then have in common. Returns the number of files
 * that were not in it.
 */
function warm(string $folder): int
{
    $compiled = 0;
    $files = new RecursiveIteratorIterator(new RecursiveDirectoryIterator($folder, FilesystemIterator::SKIP_DOTS));
    foreach ($files as $file) {
        $path = (string) $file->getRealPath();
        if ($file->getExtension() === 'php' && !preg_match(NEEDLESS, $path) && !opcache_is_script_cached($path) && @opcache_compile_file($path)) {
            $compiled++;
        }
    }
    return $compiled;
}

if ($path === '/.try-it-now/ready') {
    header('Content-Type: text/plain');
    echo "ready\n";
    return;
}
if ($path === '/.try-it-now/warm' && !is_file(OWN_FILE)) {
    $compiled = warm('/app') + warm(realpath($_SERVER['DOCUMENT_ROOT']));
    $cache = opcache_get_status(false);
    header('Content-Type: application/json');
    echo json_encode(['compiled' => $compiled, 'cached' => $cache['opcache_statistics']['num_cached_scripts'], 'freeBytes' => $cache['memory_usage']['free_memory']]), "\n";
    return;
}
http_response_code(404);
