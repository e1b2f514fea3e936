{{/* Who may talk to whom: nobody, but for what is listed here. */}}

{{- define "esim-service.egressDns" -}}
- to:
    - {{ include "esim-service.pods" .Values.networkPolicy.dns }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{/* Pods, or addresses outside where `cidrs` are given. */}}
{{- define "esim-service.egressTo" -}}
- to:
    {{- if .cidrs }}
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
    {{- else }}
    - {{ include "esim-service.pods" . }}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}

{{- define "esim-service.egressKafka" -}}
{{ include "esim-service.egressTo" .Values.networkPolicy.kafka }}
{{- end }}

{{- define "esim-service.egressDatabase" -}}
{{- $database := deepCopy .Values.networkPolicy.database -}}
{{- if not $database.podLabels }}
{{- $_ := set $database "podLabels" (dict "cnpg.io/cluster" (printf "%s-db" (include "esim-service.name" .))) -}}
{{- end }}
{{- include "esim-service.egressTo" $database }}
{{- end }}

{{- define "esim-service.networkpolicy" -}}
{{- if .Values.networkPolicy.enabled }}
{{- $policy := .Values.networkPolicy -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "esim-service.name" . }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "esim-service.selector" . | nindent 6 }}
      app.kubernetes.io/component: service
  policyTypes: [Ingress, Egress]
  {{- $called := or .Values.calledBy .Values.ingress.enabled .Values.monitoring.enabled }}
  {{- if or $called .Values.extraPorts }}
  ingress:
    {{- range .Values.extraPorts }}
    - from:
        {{- range .cidrs }}
        - ipBlock: {cidr: {{ . | quote }}}
        {{- end }}
      ports:
        - {protocol: TCP, port: {{ .name }}}
    {{- end }}
    {{- if $called }}
    - from:
        {{- range .Values.calledBy }}
        - {{ include "esim-service.peer" . }}
        {{- end }}
        {{- if .Values.ingress.enabled }}
        - {{ include "esim-service.pods" $policy.ingressController }}
        {{- end }}
        {{- if .Values.monitoring.enabled }}
        - {{ include "esim-service.pods" $policy.prometheus }}
        {{- end }}
      ports:
        - {protocol: TCP, port: http}
    {{- end }}
  {{- else }}
  ingress: []
  {{- end }}
  egress:
    {{- include "esim-service.egressDns" . | nindent 4 }}
    {{- include "esim-service.egressDatabase" . | nindent 4 }}
    {{- include "esim-service.egressKafka" . | nindent 4 }}
    {{- if .Values.telemetry.otlpEndpoint }}
    {{- include "esim-service.egressTo" $policy.telemetry | nindent 4 }}
    {{- end }}
    {{- with .Values.calls }}
    - to:
        {{- range . }}
        - {{ include "esim-service.peer" . }}
        {{- end }}
      ports:
        - {protocol: TCP, port: http}
    {{- end }}
    {{- range $policy.internal }}
    # {{ .name }}
    {{- include "esim-service.egressTo" . | nindent 4 }}
    {{- end }}
    {{- range $policy.external }}
    # {{ .name }}
    - to:
        {{- $except := .except | default list }}
        {{- range .cidrs }}
        - ipBlock:
            cidr: {{ . | quote }}
            {{- if and $except (eq . "0.0.0.0/0") }}
            except: {{ $except | toJson }}
            {{- end }}
        {{- end }}
      ports:
        {{- range .ports }}
        - {protocol: TCP, port: {{ . }}}
        {{- end }}
    {{- end }}
{{- end }}
{{- end }}
