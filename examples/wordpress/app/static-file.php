<?php

const STATIC_TYPES = [
    'css' => 'text/css; charset=utf-8', 'js' => 'text/javascript; charset=utf-8', 'json' => 'application/json',
    'svg' => 'image/svg+xml', 'png' => 'image/png', 'jpg' => 'image/jpeg', 'jpeg' => 'image/jpeg', 'gif' => 'image/gif',
    'webp' => 'image/webp', 'ico' => 'image/x-icon', 'woff' => 'font/woff', 'woff2' => 'font/woff2', 'ttf' => 'font/ttf',
    'txt' => 'text/plain; charset=utf-8', 'html' => 'text/html; charset=utf-8', 'pdf' => 'application/pdf',
    'mp3' => 'audio/mpeg', 'mp4' => 'video/mp4', 'map' => 'application/json',
];

/** As a server in production does and PHP's own does not: with a tag and a while in which the browser need not ask again. */
function send_static_file(string $file): bool
{
    $tag = sprintf('"%x-%x"', filemtime($file), filesize($file));
    header('Content-Type: ' . (STATIC_TYPES[strtolower(pathinfo($file, PATHINFO_EXTENSION))] ?? 'application/octet-stream'));
    header('Cache-Control: private, max-age=3600');
    header('X-Content-Type-Options: nosniff');
    header("ETag: $tag");
    if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $tag) {
        http_response_code(304);
        return true;
    }
    header('Content-Length: ' . filesize($file));
    if ($_SERVER['REQUEST_METHOD'] !== 'HEAD') {
        readfile($file);
    }
    return true;
}
