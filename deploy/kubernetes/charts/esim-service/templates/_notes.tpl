{{- define "esim-service.notes" -}}
{{ .Chart.Name }} {{ .Values.image.tag | default .Chart.AppVersion }}

Inside the cluster: http://{{ include "esim-service.name" . }}.{{ .Release.Namespace }}:{{ .Values.service.port }}
Is it ready:        kubectl -n {{ .Release.Namespace }} rollout status deployment/{{ include "esim-service.name" . }}
Take it back:       helm -n {{ .Release.Namespace }} rollback {{ .Release.Name }}
{{- end }}
