<?php
// Readiness and warm-up: both work without a database and before anything is handed over.

if ($path === '/.try-it-now/ready') {
    header('Content-Type: text/plain');
    echo "ready\n";
    return;
}
if ($path === '/.try-it-now/warm' && !is_file(OWN_FILE)) {
    // Compiles what pages are made of into the shared cache. Nothing of it is run, so nothing is drawn or remembered
    // that clones of this process would then have in common.
    $places = ['wp-*.php', 'wp-includes/*.php', 'wp-includes/{blocks,html-api,l10n,rest-api,style-engine,block-supports,block-patterns}{/*,/*/*,/*/*/*}.php', 'wp-admin/*.php', 'wp-admin/includes/*.php', 'wp-content/mu-plugins/*.php', 'wp-content/themes/*/{,patterns/}*.php'];
    // Whole subjects that a page never needs: importers, set-up, other sites in a network, upgrades of WordPress itself.
    $needless = '#/(wp-config|install|upgrade|network|setup|import|export|ms-|class-(pclzip|wp-(site-health|upgrader|debug)|.*-upgrader)|deprecated-|noop|press-this|my-sites|freedoms|credits|update)#';
    $compiled = 0;
    foreach ($places as $place) {
        foreach (glob("{$_SERVER['DOCUMENT_ROOT']}/$place", GLOB_BRACE) as $file) {
            $file = realpath($file);
            if (!preg_match($needless, strrchr($file, '/')) && (opcache_is_script_cached($file) || @opcache_compile_file($file))) {
                $compiled++;
            }
        }
    }
    $memory = opcache_get_status(false)['memory_usage'];
    header('Content-Type: application/json');
    echo json_encode(['compiled' => $compiled, 'usedBytes' => $memory['used_memory'], 'freeBytes' => $memory['free_memory']]), "\n";
    return;
}
http_response_code(404);
