<?php
// What two instances must answer differently, without giving the key away.
require_once '/app/own.php';
$own = own();
if ($own === null) {
    fwrite(STDERR, "This instance has not been activated.\n");
    exit(1);
}
echo $own['name'], ' ', hash('sha256', $own['key']), "\n";
