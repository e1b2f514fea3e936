{{/*
The shops' folder (SHOPS_DIR), from `shops`: each path in it and the file's text. Without any the image's own folder counts,
which holds examples that ENVIRONMENT=production refuses. A changed file reaches running pods within a minute or two, and
starts none: it is in no checksum.
*/}}

{{- define "esim-service.shopsData" -}}
{{- range $path, $text := .Values.shops }}
{{ $path | replace "/" "_" }}: {{ $text | toJson }}
{{- end }}
{{- end }}

{{- define "esim-service.shops" -}}
{{- if and .Values.shops .Values.readsShops }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "esim-service.name" . }}-shops
  labels: {{- include "esim-service.labels" . | nindent 4 }}
data:
  {{- include "esim-service.shopsData" . | trim | nindent 2 }}
{{- end }}
{{- end }}

{{/* `.shops` is the ConfigMap's name; empty: none is mounted. */}}
{{- define "esim-service.shopsVolume" -}}
{{- if .shops }}
- name: shops
  configMap:
    name: {{ .shops }}
    defaultMode: 0444
    items:
      {{- range $path, $_ := .root.Values.shops }}
      - {key: {{ $path | replace "/" "_" }}, path: {{ $path }}}
      {{- end }}
{{- end }}
{{- end }}
