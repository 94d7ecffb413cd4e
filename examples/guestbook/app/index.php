<?php
// Entries are in PostgreSQL, and how often the page was looked at in Redis.
require_once '/app/servers.php';
if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) !== '/') {
    http_response_code(404);
    exit('Nothing is here.');
}
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $insert = database()->prepare('INSERT INTO entry (text) VALUES (?)');
    $insert->execute([substr((string) ($_POST['text'] ?? ''), 0, 500)]);
    header('Location: ' . getenv('PUBLIC_URL'), true, 303);
    exit;
}
$views = cache()->incr('views');
$entries = database()->query('SELECT text FROM entry ORDER BY id DESC')->fetchAll(PDO::FETCH_COLUMN);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>Guestbook</h1>
<form method="post">
  <label>Say something: <input name="text" maxlength="200" required></label>
  <button>Write</button>
</form>
<ul id="entries">
<?php foreach ($entries as $text): ?>
  <li><?= htmlspecialchars($text) ?></li>
<?php endforeach ?>
</ul>
<p>Looked at <span id="views"><?= $views ?></span> times, at <?= htmlspecialchars((string) getenv('PUBLIC_URL')) ?></p>
