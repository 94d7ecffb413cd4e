<%@ page contentType="text/html;charset=UTF-8" session="false" %>
<!doctype html>
<html lang="en">
<meta charset="utf-8"><title>Your own Tomcat</title>
<h1>Your own Tomcat</h1>
<p><a href="/manager/html">Manage it</a>: log in as <b>demo</b> with the password <b>demo</b>, stop an application, or deploy your own.</p>
<p><a href="/examples/">Look at the examples</a>.</p>
</html>
