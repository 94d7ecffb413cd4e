<?php
// One visitor's phpMyAdmin. What is the instance's own comes with its activation; until then there is nothing to log in to.
require_once '/app/own.php';
$own = own() ?? ['key' => str_repeat('-', 32), 'socket' => '', 'name' => '', 'user' => '', 'password' => ''];
$cfg['blowfish_secret'] = $own['key'];
$cfg['Servers'] = [1 => [
    'auth_type' => 'cookie',
    'verbose' => 'Your database',
    'host' => 'localhost',
    'socket' => $own['socket'],
    'only_db' => $own['name'],
    'AllowNoPassword' => false,
]];
$cfg['TempDir'] = '/tmp';
$cfg['LoginCookieValidity'] = 1440;
// There is no database for its own extras, and nothing leaves an instance.
$cfg['PmaNoRelation_DisableWarning'] = true;
$cfg['VersionCheck'] = false;
// The password is not the visitor's to keep.
$cfg['ShowChgPassword'] = false;
$cfg['SendErrorReports'] = 'never';
$cfg['ZeroConf'] = false;
