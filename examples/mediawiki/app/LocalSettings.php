<?php
// One visitor's wiki. What is the instance's own comes with its activation.
if (!defined('MEDIAWIKI')) {
    exit;
}
require '/app/installed/LocalSettings.php';
$wgSecretKey = is_file('/app/own/key') ? file_get_contents('/app/own/key') : str_repeat('-', 64);
$wgUpgradeKey = false;
$wgAuthenticationTokenVersion = '1';
// The name by which the visitor came: the proxy lets no other through.
$wgServer = WebRequest::detectServer();
$wgArticlePath = '/index.php/$1';
$wgLogos = false;
$wgDiff3 = '';
$wgCacheDirectory = '/data/cache';
$wgDefaultSkin = 'vector-2022';
$wgGroupPermissions['*']['createaccount'] = false;
$wgGroupPermissions['*']['edit'] = false;
// Nothing leaves an instance.
$wgEnableEmail = false;
$wgEnableUploads = false;
$wgPingback = false;
foreach (['default', 'sysop', 'bureaucrat', 'interface-admin'] as $group) {
    $wgPasswordPolicy['policies'][$group] = ['MinimalPasswordLength' => 1];
}
