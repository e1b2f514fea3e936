{{/* Names and labels. */}}

{{- define "esim-service.name" -}}
{{ .Values.nameOverride | default .Chart.Name }}
{{- end }}

{{/* What the selectors of Deployments, Services and policies go by: the same in whatever release. */}}
{{- define "esim-service.selector" -}}
app.kubernetes.io/name: {{ include "esim-service.name" . }}
app.kubernetes.io/part-of: esim-fulfilment
{{- end }}

{{/* Pods do not bear the chart's version: a new one of those alone starts no new pods. */}}
{{- define "esim-service.podLabels" -}}
{{ include "esim-service.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
{{- end }}

{{- define "esim-service.labels" -}}
{{ include "esim-service.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "esim-service.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository | default (printf "esim-fulfilment/%s" .Chart.Name) -}}
{{- $name := ternary (printf "%s/%s" $image.registry $repository) $repository (ne $image.registry "") -}}
{{- if $image.digest }}{{ printf "%s@%s" $name $image.digest }}{{ else }}{{ printf "%s:%s" $name ($image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}

{{/* Pods of another service of this product. */}}
{{- define "esim-service.peer" -}}
{podSelector: {matchLabels: {app.kubernetes.io/name: {{ . }}, app.kubernetes.io/part-of: esim-fulfilment, app.kubernetes.io/component: service}}}
{{- end }}

{{/* Pods by {namespace, podLabels}, as a peer of a NetworkPolicy; an empty namespace is the release's own. */}}
{{- define "esim-service.pods" -}}
{{- $peer := dict -}}
{{- with .namespace }}
{{- $_ := set $peer "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" .)) -}}
{{- end }}
{{- if or .podLabels (not .namespace) }}
{{- $_ := set $peer "podSelector" (dict "matchLabels" (.podLabels | default dict)) -}}
{{- end }}
{{- $peer | toJson }}
{{- end }}
