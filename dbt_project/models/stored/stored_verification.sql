{{ config(unique_key=['report_id']) }}

select * from {{ ref('live_verification') }}
