<?php
// Read before each page: who logs in as demo with the password demo is the one user of this instance's database, whose
// name and password nobody could remember.
require_once '/app/own.php';
if (($_POST['pma_username'] ?? '') === 'demo' && ($_POST['pma_password'] ?? '') === 'demo' && own() !== null) {
    $_POST['pma_username'] = own()['user'];
    $_POST['pma_password'] = own()['password'];
}
