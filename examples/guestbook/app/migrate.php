<?php
require_once '/app/servers.php';
database()->exec('CREATE TABLE IF NOT EXISTS entry (id serial PRIMARY KEY, text varchar(500) NOT NULL)');
