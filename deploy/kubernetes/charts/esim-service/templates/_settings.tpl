{{/* Settings: plain ones as variables, secret ones as files that SECRETS_DIR names (shared/kernel/cli.py). */}}

{{- define "esim-service.kafkaUsername" -}}
{{ .Values.kafka.username | default (include "esim-service.name" .) }}
{{- end }}

{{/* All plain settings, as a map of strings in JSON. `.kafkaUsername` is whom the process is to the brokers. */}}
{{- define "esim-service.settings" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $all := dict
  "ENVIRONMENT" "production"
  "HTTP_HOST" "0.0.0.0"
  "HTTP_PORT" "8000"
  "SECRETS_DIR" "/run/secrets"
  "KAFKA_BOOTSTRAP_SERVERS" $kafka.bootstrapServers
  "KAFKA_TLS" (toString $kafka.tls)
  "TOPIC_PARTITIONS" (toString (int $kafka.partitions))
  "TOPIC_REPLICATION" (toString (int $kafka.replication)) -}}
{{- if .kafkaUsername }}
{{- $_ := set $all "KAFKA_USERNAME" .kafkaUsername -}}
{{- $_ := set $all "KAFKA_MECHANISM" $kafka.mechanism -}}
{{- end }}
{{- if and $kafka.tls $kafka.caSecret }}
{{- $_ := set $all "KAFKA_CA_FILE" "/run/authorities/kafka/ca.crt" -}}
{{- end }}
{{- with .root.Values.telemetry.otlpEndpoint }}
{{- $_ := set $all "OTEL_EXPORTER_OTLP_ENDPOINT" . -}}
{{- $_ := set $all "TRACE_SAMPLE_RATIO" (toString $.root.Values.telemetry.sampleRatio) -}}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
{{- if not (kindIs "invalid" $value) }}
{{- $_ := set $all $name (kindIs "string" $value | ternary $value ($value | toJson)) -}}
{{- end }}
{{- end }}
{{- $all | toJson -}}
{{- end }}

{{/* The volumes behind SECRETS_DIR, the authorities' certificates, further files, the shops, and /tmp. */}}
{{- define "esim-service.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .databaseSecret }}
          items: [{key: {{ .root.Values.database.key }}, path: database_url}]
      {{- with .kafkaSecret }}
      - secret:
          name: {{ . }}
          items: [{key: {{ $.root.Values.kafka.passwordKey }}, path: kafka_password}]
      {{- end }}
      {{- with .root.Values.secret.keys }}
      - secret:
          name: {{ $.root.Values.secret.name | default (printf "%s-settings" (include "esim-service.name" $.root)) }}
          items:
            {{- range . }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
      {{- end }}
- name: authorities
  projected:
    defaultMode: 0444
    sources:
      - secret:
          name: {{ .root.Values.database.caSecret | default (printf "%s-db-ca" (include "esim-service.name" .root)) }}
          items: [{key: {{ .root.Values.database.caKey }}, path: database/ca.crt}]
      {{- if and .root.Values.kafka.tls .root.Values.kafka.caSecret }}
      - secret:
          name: {{ .root.Values.kafka.caSecret }}
          items: [{key: {{ .root.Values.kafka.caKey }}, path: kafka/ca.crt}]
      {{- end }}
{{- range .root.Values.files }}
- name: files-{{ .name }}
  secret: {secretName: {{ .secret }}, defaultMode: 0440}
{{- end }}
{{- include "esim-service.shopsVolume" . }}
{{- end }}

{{- define "esim-service.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: secrets, mountPath: /run/secrets, readOnly: true}
- {name: authorities, mountPath: /run/authorities, readOnly: true}
{{- range .root.Values.files }}
- {name: files-{{ .name }}, mountPath: {{ .mountPath }}, readOnly: true}
{{- end }}
{{- if .shops }}
- {name: shops, mountPath: /shops, readOnly: true}
{{- end }}
{{- end }}

{{- define "esim-service.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "esim-service.name" . }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
data:
  {{- include "esim-service.settings" (dict "root" . "kafkaUsername" (include "esim-service.kafkaUsername" .)) | fromJson | toYaml | nindent 2 }}
{{- end }}
