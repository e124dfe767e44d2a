//! Purposes, states, bases: the vocabularies of the contracts, in words.

words! {
    /// See [`super`].
    Kinds {
        purpose_treatment: "Treatment", "治疗";
        purpose_emergency: "Emergency treatment", "急救";
        purpose_payment: "Payment of care", "医疗费用支付";
        purpose_research: "Research", "科学研究";
        purpose_public_health: "Public health", "公共卫生";
        purpose_patient_request: "At the patient's request", "应患者要求";
        purpose_operations: "Running the health service, audits included", "医疗运营（含审计）";
        state_hospital_pending: "Waiting for the hospital", "等待医院审核";
        state_patient_pending: "Waiting for the patient", "等待患者决定";
        state_approved: "Approved, being released", "已批准，正在发放";
        state_released: "Released and paid", "已发放并付款";
        state_refused_by_hospital: "Refused by the hospital", "医院已拒绝";
        state_refused_by_patient: "Refused by the patient", "患者已拒绝";
        state_withdrawn: "Taken back", "已撤回";
        state_expired: "Expired", "已过期";
        state_disputed: "Disputed", "有争议";
        state_reversed: "Reversed", "已撤销";
        grant_withdrawn: "Permission ended", "授权已终止";
        basis_owner: "Own record", "本人病历";
        basis_own_hospital: "Care at this hospital", "本院诊疗";
        basis_grant: "A permission you gave", "您给予的授权";
        basis_emergency: "Emergency access", "紧急访问";
        basis_patient_code: "Your authorization code", "您的授权码";
        basis_hospital_code: "The hospital's authorization code", "医院的授权码";
        refuse_unstated: "I would rather not say", "不说明原因";
        refuse_purpose: "The purpose does not fit", "用途不合适";
        refuse_price: "The price is too low", "价格过低";
        refuse_sensitive: "The record is too sensitive", "病历过于敏感";
        refuse_unfit: "The record is not fit for release", "病历不宜发放";
        class_amb: "Outpatient visit", "门诊";
        class_emer: "Emergency visit", "急诊";
        class_imp: "Hospital stay", "住院";
        class_hh: "Home visit", "家庭访视";
        class_vr: "Remote visit", "远程诊疗";
        class_wellness: "Check-up", "体检";
        class_urgent: "Urgent care", "紧急护理";
        class_other: "Visit", "就诊";
        verified: "Verified", "已验证";
        edited: "Edited behind the ledger's back", "内容被篡改";
        deleted: "Deleted", "已被删除";
        swapped: "Another record's content", "内容被替换";
        rolled_back: "An earlier version's content", "内容被回退";
        reason_deposit: "Deposit", "存入";
        reason_withdrawal: "Withdrawal to your bank", "提现";
        reason_escrow_held: "Held for an application", "申请托管";
        reason_item_paid: "Reward for a released record", "病历使用报酬";
        reason_escrow_returned: "Returned from an application", "托管退回";
        reason_item_reversed: "Reversed by the regulator", "监管撤销";
        reason_benefit: "Paid by the insurer", "保险赔付";
        reason_share: "Your share of a bill", "自付部分";
        claim_adjudicated: "Your share is due", "待支付自付部分";
        claim_pended: "The insurer decides by hand", "保险公司人工审核";
        claim_share_paid: "Paid", "已支付";
        level_low: "Low", "低";
        level_low_medium: "Low to medium", "中低";
        level_medium: "Urgent", "紧急";
        level_high: "Emergency", "危急";
        role_patient: "Patient", "患者";
        role_doctor: "Doctor", "医生";
        role_hospital: "Hospital", "医院";
        role_third_party: "Third party", "第三方";
        role_insurer: "Insurer", "保险公司";
        role_regulator: "Regulator", "监管方";
        role_treasurer: "Treasury", "财务方";
        role_operator: "Node operator", "节点运营方";
        role_device: "Device", "设备";
        role_service: "Service", "服务";
        status_pending: "Waiting for endorsement", "等待背书";
        status_active: "Active", "有效";
        status_suspended: "Suspended", "已暂停";
        status_revoked: "Revoked", "已吊销";
    }
}
