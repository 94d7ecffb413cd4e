<?php
// One visitor's wiki: log in as demo with the password demo.
$conf['title'] = 'Your wiki';
$conf['lang'] = 'en';
$conf['license'] = '0';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
$conf['disableactions'] = 'register,resendpwd';
$conf['savedir'] = '/var/lib/dokuwiki/data';
// Nothing leaves an instance.
$conf['updatecheck'] = 0;
$conf['mailfrom'] = '';
