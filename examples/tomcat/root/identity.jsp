<%@ page contentType="text/plain;charset=UTF-8" session="false"
  import="java.security.MessageDigest, java.util.HexFormat" %><%
// What two instances must answer differently: the next session id, told as a hash and thrown away.
var id = request.getSession(true).getId();
request.getSession().invalidate();
out.print(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(id.getBytes())));
%>
