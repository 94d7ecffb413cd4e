{{- define "name" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- end }}

{{- define "labels" -}}
app.kubernetes.io/name: try-it-now
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "image" -}}
{{- $image := .Values.image -}}
{{ required "image.repository: where your image of Try It Now is" $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ required "image.tag, or better image.digest" $image.tag }}{{ end }}
{{- end }}

{{- define "image-pull" }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Of a container that needs no right at all. */ -}}
{{- define "unprivileged" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* Settings that servers, discovery and workers have in common; secrets are files. */ -}}
{{- define "environment" -}}
envFrom:
  - configMapRef: { name: {{ include "name" . }} }
env:
  {{- $secret := .Values.secret }}
  {{- range $variable, $key := dict
    "API_KEY_FILE" $secret.apiKey
    "OPERATOR_KEYS_FILE" $secret.operatorKeys
    "VALKEY_PASSWORD_FILE" $secret.valkeyPassword
    "VALKEY_CA_FILE" $secret.valkeyCa
    "NATS_CREDS_FILE" $secret.natsCredentials
    "NATS_CA_FILE" $secret.natsCa }}
  {{- if $key }}
  - { name: {{ $variable }}, value: {{ printf "/run/secrets/try-it-now/%s" $key | quote }} }
  {{- end }}
  {{- end }}
{{- end }}

{{- define "mounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: catalogue, mountPath: /etc/try-it-now/catalogue, readOnly: true }
{{- if .Values.secret.name }}
- { name: secrets, mountPath: /run/secrets/try-it-now, readOnly: true }
{{- end }}
{{- end }}

{{- define "volumes" -}}
- name: tmp
  emptyDir: { medium: Memory, sizeLimit: 64Mi }
- name: catalogue
  configMap: { name: {{ include "name" . }}-files }
{{- if .Values.secret.name }}
- name: secrets
  secret: { secretName: {{ .Values.secret.name }}, defaultMode: 0440 }
{{- end }}
{{- end }}
