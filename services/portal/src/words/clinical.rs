//! What is in a record.

words! {
    /// See [`super`].
    Clinical {
        visit: "Visit", "就诊";
        conditions: "Conditions", "诊断";
        procedures: "Procedures", "操作与手术";
        observations: "Results and measurements", "检查与测量结果";
        medications: "Medicines", "用药";
        immunizations: "Vaccinations", "疫苗接种";
        reports: "Reports", "报告";
        care_plans: "Care plans", "护理计划";
        allergies: "Allergies", "过敏";
        imaging: "Imaging", "影像";
        costs: "Costs", "费用";
        bill_institutional: "Bill of the hospital", "医院账单";
        bill_professional: "Bill of a doctor", "医生账单";
        bill_pharmacy: "Bill of a pharmacy", "药房账单";
        bill_oral: "Bill of a dentist", "牙科账单";
        bill_vision: "Bill of an optician", "眼科账单";
        other: "More", "其他";
        name: "Name", "名称";
        value: "Value", "结果";
        date: "Date", "日期";
        status: "Status", "状态";
        began: "since {date}", "自 {date}";
        ended: "until {date}", "至 {date}";
        total: "Total", "合计";
        nothing: "This record holds no further details.", "该病历没有更多详细内容。";
        range: "{from} to {to}", "{from} 至 {to}";
        pulse: "Pulse", "脉搏";
        oxygen: "Oxygen saturation", "血氧饱和度";
        respiration: "Respiration", "呼吸频率";
        temperature: "Temperature", "体温";
        pressure: "Blood pressure", "血压";
        systolic: "Systolic pressure", "收缩压";
        diastolic: "Diastolic pressure", "舒张压";
        oxygen_given: "Oxygen given", "吸氧";
        consciousness: "Consciousness", "意识";
        and: ", ", "，";
        warning_score: "NEWS2 score of {total}", "NEWS2 评分 {total}";
        warning_parameter: "{sign} far out of range", "{sign}严重超出范围";
        warning_below: "{sign} below your limit", "{sign}低于您的阈值";
        warning_above: "{sign} above your limit", "{sign}高于您的阈值";
        warning_falling: "{sign} falling away from normal", "{sign}持续下降";
        warning_rising: "{sign} rising away from normal", "{sign}持续上升";
        warning_silence: "The device sends no readings any more", "设备已停止上传读数";
    }
}
